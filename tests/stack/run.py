"""Runs the tests of this folder, or the named ones, and prints `N passed, N failed` last."""

import sys
import unittest


def main(names):
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(names) if names else loader.discover(".")
    result = unittest.TextTestRunner(stream=sys.stdout).run(suite)
    # A test with several failing subtests counts once.
    failed = len({str(getattr(test, "test_case", test)) for test, _ in result.failures + result.errors})
    passed = max(result.testsRun - failed - len(result.skipped), 0)
    print(f"{passed} passed, {failed} failed")
    return 0 if result.wasSuccessful() and passed > 0 else 1


sys.exit(main(sys.argv[1:]))
