"""`python -m keras_kd` is `keras-kd`."""

from keras_kd.cli.app import main

main()
