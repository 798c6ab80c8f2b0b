"""What looks at a model while it trains: held-out values, signs, followed scores, pictures and the diagnosis."""
