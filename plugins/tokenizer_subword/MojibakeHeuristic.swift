import ClipBase

/// Detects mojibake by improbable sequences of characters, with the rules of ftfy 6.3's "badness".
struct MojibakeHeuristic {
  /// Matches one character: any in one of `sets`, or exactly `scalar`.
  private struct Step {
    let sets: CharacterSets
    let scalar: UInt32

    init(_ sets: CharacterSets) {
      self.sets = sets
      scalar = UInt32.max
    }
    init(_ scalar: Unicode.Scalar) {
      sets = []
      self.scalar = scalar.value
    }
  }

  private var steps: [Step] = []
  /// Rule i is steps[starts[i]..<starts[i + 1]].
  private var starts: [Int] = [0]

  init() {
    addGeneralRules()
    addEncodingRules()
  }

  private mutating func add(_ rule: Step...) {
    steps += rule
    starts.append(steps.count)
  }

  /// Rules about sequences of kinds of characters.
  private mutating func addGeneralRules() {
    let accented: CharacterSets = [.lowerAccented, .upperAccented]
    let symbols: CharacterSets = [.box, .start, .end, .currency, .numeric, .law]
    add(Step(.c1))
    add(Step(accented.union(symbols).union(.bad)), Step(.bad))
    add(Step(.latinLetter), Step([.lowerCommon, .upperCommon]), Step(.bad))
    add(Step(.bad), Step(accented.union(symbols)))
    add(Step([.lowerAccented, .lowerCommon, .box, .end, .currency, .numeric]), Step(.upperAccented))
    add(Step([.box, .end, .currency, .numeric]), Step(.lowerAccented))
    add(Step([.lowerAccented, .box, .end]), Step(.currency))
    add(Step(.space), Step(.upperAccented), Step(.currency))
    add(Step([.upperAccented, .box]), Step([.numeric, .law]))
    add(Step(accented.union([.box, .currency, .end])), Step(.start), Step(.numeric))
    add(Step(accented.union([.currency, .numeric, .box, .law])), Step(.end), Step(.start))
    add(Step([.currency, .numeric, .box]), Step(.start))
    add(Step(.latinLower), Step(.upperAccented), Step([.start, .currency]))
    add(Step(.box), Step(.kaomoji))
    add(Step(accented.union([.currency, .numeric, .start, .end, .law])), Step(.box))
    add(Step(.box), Step(.end))
    add(Step(accented), Step([.start, .end]), Step(.word))
    add(Step(.oe), Step(.notLatinLetter))
    add(Step(.upperAccented), Step(.degree))
  }

  /// Rules about common characters misread in one encoding.
  private mutating func addEncodingRules() {
    // windows-1252
    add(Step(.windowsLead), Step([.windowsTail, .start, .end]))
    add(Step("×"), Step(.superscript))
    let arabic: CharacterSets = [.common, .currency, .bad, .numeric, .start, .arabicTail]
    add(Step(.arabicLead), Step(arabic), Step(.arabicLead), Step(arabic))
    add(Step("à"), Step(.southAsianTail))
    // MacRoman
    add(Step("√"), Step(.rootTail))
    add(Step("≈"), Step(.approximatelyTail))
    add(Step("‚"), Step("Ä"), Step(.lowQuoteTail))
    add(Step("‚"), Step(.lowQuoteMiddle), Step(.lowQuoteEnd))
    // windows-1251
    add(Step("в"), Step("Ђ"))
    let misread: CharacterSets = [.c1, .bad, .start, .end, .currency]
    add(Step(.cyrillicLead), Step(misread.union(.cyrillicTail)), Step(.cyrillicLead))
    add(Step("Г"), Step("ў"), Step("В"), Step("Ђ"), Step("В"), Step(.notNewline), Step([.latinLetter, .blank]))
    // windows-1252's à, á and no-break space
    add(Step("Ã"), Step(.tildeTail))
    add(Step(.latinLower), Step(.tildeOrCircumflexA), Step(.blank))
    add(Step(.latinLower), Step(.space), Step(.tildeOrCircumflexA), Step(.blank))
    add(Step(.textStart), Step(.tildeOrCircumflexA), Step(.blank))
    add(Step([.latinLower, .sentenceEnd, .end]), Step("Â"), Step([.blank, .start, .end]))
    // windows-1253
    add(Step("β"), Step("€"), Step(.betaEuroTail))
    add(Step(.greekLead), Step(misread.union(.degree)), Step(.greekLead))
    // windows-1257
    add(Step("ā"), Step("€"))
  }

  /// Whether a rule matches anywhere in `text`.
  func isMojibake(_ text: ArraySlice<UInt32>, _ characters: MojibakeCharacters) -> Bool {
    var sets: [CharacterSets] = [.textStart]
    sets.reserveCapacity(text.count + 1)
    for scalar in text { sets.append(characters.sets(scalar)) }
    for at in 0..<sets.count {
      for rule in 0..<(starts.count - 1) where matches(rule, sets, text, at) { return true }
    }
    return false
  }

  /// `at` is an index in `sets`, which has the start marker before the first character.
  private func matches(_ rule: Int, _ sets: [CharacterSets], _ text: ArraySlice<UInt32>, _ at: Int) -> Bool {
    var at = at
    for index in starts[rule]..<starts[rule + 1] {
      guard at < sets.count else { return false }
      let step = steps[index]
      let isScalar = at > 0 && text[text.startIndex + at - 1] == step.scalar
      guard isScalar || !sets[at].isDisjoint(with: step.sets) else { return false }
      at += 1
    }
    return true
  }
}
