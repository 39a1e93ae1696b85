"""Demo of a small support desk: an application, a behaviour specification, a policy and conversations."""
