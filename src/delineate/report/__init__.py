"""What people read: one HTML file with the worst first, and the same numbers for other programs."""

from delineate.report.files import scores_csv, scores_json
from delineate.report.overlay import mistakes, outlines
from delineate.report.score_report import report_html, write_score_report
from delineate.report.sections import Asked

__all__ = ["Asked", "mistakes", "outlines", "report_html", "scores_csv", "scores_json", "write_score_report"]
