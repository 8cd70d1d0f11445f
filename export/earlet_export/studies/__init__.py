"""Studies: the same question asked of many recipes, answered in one table."""
