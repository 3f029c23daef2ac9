/// Whether `name` fits a pattern, in which "*" stands for any bytes and "?" for one.
package func matches(_ name: Name, pattern: Name) -> Bool {
  let name = name.utf8
  let pattern = pattern.utf8
  var at = 0
  var place = 0
  var star = -1
  var resume = 0
  while at < name.count {
    if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
      star = place
      resume = at
      place += 1
    } else if place < pattern.count, pattern[place] == UInt8(ascii: "?") || pattern[place] == name[at] {
      at += 1
      place += 1
    } else if star >= 0 {
      resume += 1
      at = resume
      place = star + 1
    } else {
      return false
    }
  }
  while place < pattern.count, pattern[place] == UInt8(ascii: "*") { place += 1 }
  return place == pattern.count
}
