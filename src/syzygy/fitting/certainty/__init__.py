"""How sure fitted rates are: intervals from the curvature, from the profile of the likelihood, from a bootstrap."""
