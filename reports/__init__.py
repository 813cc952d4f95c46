"""Says to a reader what the analysis worked out: figures, documents, pack and its verification."""
