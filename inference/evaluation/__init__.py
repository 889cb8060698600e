"""Scores of predicted articles against gold ones."""
