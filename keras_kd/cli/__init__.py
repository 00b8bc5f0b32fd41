"""The command line: one short command per verb."""

from keras_kd.cli.app import main as main
