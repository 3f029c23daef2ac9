import CSystem

/// Finds what is wrong with a shared library where dlopen would crash or give no clear message.
package enum SharedLibrary {
  #if arch(x86_64)
    private static var machine: UInt16 { UInt16(EM_X86_64) }
  #elseif arch(arm64)
    private static var machine: UInt16 { UInt16(EM_AARCH64) }
  #endif

  /// Looks at the file's headers; nil when all is well. Layout: System V ABI, chapters 4 and 5.
  package static func problem(in bytes: UnsafeRawBufferPointer) -> String? {
    let magic: [UInt8] = [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F")]
    guard bytes.prefix(4).elementsEqual(magic) else { return "expected a shared library (ELF), found something else" }
    let headerSize = MemoryLayout<Elf64_Ehdr>.size
    guard bytes.count >= headerSize else { return cut(headerSize, bytes) }
    let header = bytes.loadUnaligned(as: Elf64_Ehdr.self)
    guard bytes[Int(EI_CLASS)] == UInt8(ELFCLASS64), bytes[Int(EI_DATA)] == UInt8(ELFDATA2LSB) else {
      return "expected a library of 64 bits, little-endian, found another"
    }
    guard header.e_machine == machine else {
      return "expected code for \(name(machine)), found code for \(name(header.e_machine))"
    }
    guard header.e_type == UInt16(ET_DYN) else {
      return "expected a shared library, found an ELF file of type \(header.e_type)"
    }
    let entrySize = MemoryLayout<Elf64_Phdr>.size
    guard header.e_phentsize == UInt16(entrySize), header.e_phnum > 0 else {
      return "expected program headers of \(entrySize) bytes, found \(header.e_phnum) of \(header.e_phentsize)"
    }
    // Every part that the headers name must lie in the file. Section headers come last: a truncated file lacks them.
    guard let programs = end(header.e_phoff, UInt64(header.e_phnum) * UInt64(entrySize)), programs <= bytes.count else {
      return cut(end(header.e_phoff, UInt64(header.e_phnum) * UInt64(entrySize)), bytes)
    }
    let sections = end(header.e_shoff, UInt64(header.e_shnum) * UInt64(header.e_shentsize))
    guard let sections, header.e_shoff == 0 || sections <= bytes.count else { return cut(sections, bytes) }
    for index in 0..<Int(header.e_phnum) {
      let segment = bytes.loadUnaligned(fromByteOffset: Int(header.e_phoff) + index * entrySize, as: Elf64_Phdr.self)
      let last = end(segment.p_offset, segment.p_filesz)
      guard let last, last <= bytes.count else { return cut(last, bytes) }
    }
    return nil
  }

  /// nil if the sum is no size.
  private static func end(_ offset: UInt64, _ size: UInt64) -> Int? {
    let (sum, overflow) = offset.addingReportingOverflow(size)
    return overflow ? nil : Int(exactly: sum)
  }

  private static func cut(_ needed: Int?, _ bytes: UnsafeRawBufferPointer) -> String {
    "expected \(needed.map { "\($0) bytes" } ?? "more bytes than a file can have"), found \(bytes.count): the file is cut short"
  }

  private static func name(_ machine: UInt16) -> String {
    switch Int32(machine) {
    case EM_386: "x86"
    case EM_ARM: "ARM"
    case EM_X86_64: "x86-64"
    case EM_AARCH64: "AArch64"
    default: "machine \(machine)"
    }
  }
}
