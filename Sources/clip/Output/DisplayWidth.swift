/// The number of terminal cells of `text`: 2 for East Asian wide characters and emoji, 0 for combining marks.
func displayWidth(_ text: String) -> Int {
  text.reduce(0) { $0 + cells($1) }
}

private func cells(_ character: Character) -> Int {
  var width = 0
  for scalar in character.unicodeScalars {
    // A variation selector shows a text character as an emoji.
    if scalar.value == 0xFE0F || scalar.properties.isEmojiPresentation || isWide(scalar.value) { return 2 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .control, .format: break
    default: width = 1
    }
  }
  return width
}

/// East_Asian_Width W and F, as blocks (Unicode Standard Annex 11).
private func isWide(_ value: UInt32) -> Bool {
  switch value {
  case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
    0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18CFF, 0x1AFF0...0x1B2FF,
    0x1F200...0x1F2FF, 0x20000...0x3FFFD:
    true
  default: false
  }
}

/// `text` with control characters escaped, so that it stays on one line and cannot move the cursor.
func visible(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
  var shown = ""
  for scalar in text.unicodeScalars {
    guard scalar.properties.generalCategory == .control else {
      shown.unicodeScalars.append(scalar)
      continue
    }
    switch scalar {
    case "\n": shown += "\\n"
    case "\r": shown += "\\r"
    case "\t": shown += "\\t"
    default: shown += (scalar.value < 16 ? "\\x0" : "\\x") + String(scalar.value, radix: 16)
    }
  }
  return shown
}

/// `text` in quotes for a message, truncated after 60 characters.
func quoted(_ text: String) -> String {
  let shown = visible(text)
  return shown.count <= 60 ? "\"\(shown)\"" : "\"\(shown.prefix(60))…\""
}
