// Imports CLIP in every file of the tool.
@_exported import CLIP
@_exported import CLIPIndex
@_exported import CLIPTools
