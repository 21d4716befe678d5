"""Having the member hold what was ordered: adopted, owned in part, put right, or kept at rest."""
