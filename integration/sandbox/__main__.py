import argparse
import sys

from integration.sandbox.cli import add_arguments, run

parser = argparse.ArgumentParser(
    prog="python -m integration.sandbox", description="Both vendors' APIs on 127.0.0.1."
)
add_arguments(parser)
sys.exit(run(vars(parser.parse_args())))
