"""The encoder as a plain tagger of named entities: auxiliary corpora to learn from first, and benchmarks."""
