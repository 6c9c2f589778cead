"""The resource API below /apis."""
