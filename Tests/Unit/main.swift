// Unit tests of the core's pure pieces, compiled into one module with its sources, which makes internals visible.
// scripts/unit-tests builds and runs them. The last line is "N passed, N failed".
import CClip
import CSystem

testRowCuts()
testShares()
testSlots()
testPlacement()
testRecomputation()
testRewrites()
testNameRules()
testJobs()
testWorkAfterFailure()

print("\(Checks.passed) passed, \(Checks.failed) failed")
exit(Checks.failed == 0 ? 0 : 1)
