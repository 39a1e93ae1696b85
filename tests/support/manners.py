"""A specification of one clause and its policy, for tests of what becomes of a decision."""

SPEC = "# Manners {#manners}\n\n## Be kind {#be_kind authority=user}\n\nSay nothing rude.\n"
POLICY = """
spec: manners.md
clauses:
  be_kind:
    checks:
      - pattern: {stage: output, any: ['shut up'], reason: rude}
"""
