"""Files of other tools: one module a tool, and what they share; merging of concepts."""
