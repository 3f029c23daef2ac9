// Every file sees the base without an import of its own.
@_exported import ClipBase
