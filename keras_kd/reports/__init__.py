"""Numbers side by side: a table for the terminal, a page, Markdown and JSON, all with the same figures."""

from keras_kd.reports.comparison import compare as compare
from keras_kd.reports.report import Report as Report
from keras_kd.reports.rows import Meta as Meta
from keras_kd.reports.rows import NotMeasured as NotMeasured
from keras_kd.reports.rows import Row as Row
