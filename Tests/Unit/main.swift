// Unit tests of the core's pure pieces, compiled into one module with its sources, which makes internals visible.
// scripts/unit-tests builds and runs them. The last line is "N passed, N failed".
import CClip
import CSystem

var passed = 0
var failed = 0

func check(_ condition: Bool, _ what: @autoclosure () -> String, line: Int = #line) {
  if condition {
    passed += 1
  } else {
    failed += 1
    print("FAILED line \(line): " + what())
  }
}

testRowCuts()
testShares()
testSlots()
testPlacement()
testRecomputation()
testRewrites()
testNameRules()
testJobs()
testWorkAfterFailure()

print("\(passed) passed, \(failed) failed")
exit(failed == 0 ? 0 : 1)
