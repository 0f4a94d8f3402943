"""Judging: a tree against labels or embeddings, two trees over the same leaves, flat cuts."""
