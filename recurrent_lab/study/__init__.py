"""What makes a notebook a study: scale, claims and their rules, figures, settings, results."""

from recurrent_lab.study.claims import verdicts
from recurrent_lab.study.results import tables
from recurrent_lab.study.rules import (above, at_least, at_most, below, every, loglog_slopes,
                                       median_above, median_below, within)
from recurrent_lab.study.study import Study

__all__ = ["Study", "above", "at_least", "at_most", "below", "every", "loglog_slopes", "median_above",
           "median_below", "tables", "verdicts", "within"]
