// Makes ClipBase visible in every file without an import.
@_exported import ClipBase
