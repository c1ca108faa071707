"""What a study imports: configuration and scale, claims, figures, settings, results."""

from recurrent_lab.study.study import Study
