"""Azure AI Content Safety. https://learn.microsoft.com/azure/ai-services/content-safety."""

from __future__ import annotations

from specspan.checks.moderation.assessment import Assessment, ModerationFailed, as_share, secret_from
from specspan.decision import Stage

KEY_VARIABLE = "AZURE_CONTENT_SAFETY_KEY"
CATEGORIES = frozenset(("hate", "self_harm", "sexual", "violence", "blocklist"))
_NAMES = {"Hate": "hate", "SelfHarm": "self_harm", "Sexual": "sexual", "Violence": "violence"}
_MEDIUM = 4
_MAX_SEVERITY = 7


class AzureContentSafety:
    """Client of Azure AI Content Safety. A score is the severity, 0 to 7, as a share; medium severity is flagged."""

    def __init__(self, endpoint: str, key_variable: str, timeout_s: float, blocklists: tuple[str, ...] = ()) -> None:
        from azure.ai.contentsafety import ContentSafetyClient
        from azure.core.credentials import AzureKeyCredential

        self.name = "azure-content-safety"
        self._blocklists = list(blocklists)
        credential = AzureKeyCredential(secret_from(key_variable))
        self._client = ContentSafetyClient(
            endpoint, credential, retry_total=1, connection_timeout=timeout_s, read_timeout=timeout_s
        )

    def assess(self, text: str, stage: Stage) -> Assessment:
        """Return the severities of the four categories, and the words of block lists."""
        from azure.ai.contentsafety.models import AnalyzeTextOptions

        answer = self._client.analyze_text(AnalyzeTextOptions(text=text, blocklist_names=self._blocklists or None))
        scores, flagged = {"blocklist": 0.0}, set[str]()
        for each in answer.categories_analysis or ():
            name = _NAMES.get(str(getattr(each.category, "value", each.category)))
            if name is not None and each.severity is None:
                raise ModerationFailed("moderation_nonsense")
            if name is not None:
                scores[name] = as_share((each.severity or 0) / _MAX_SEVERITY)
                if (each.severity or 0) >= _MEDIUM:
                    flagged.add(name)
        words = tuple(match.blocklist_item_text for match in answer.blocklists_match or ())
        if words:
            scores["blocklist"] = 1.0
            flagged.add("blocklist")
        return Assessment(scores, frozenset(flagged), words=words)
