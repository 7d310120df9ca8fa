"""The five papers and the bench that compares them: their runs, claims, figures and errata, one folder per paper."""
