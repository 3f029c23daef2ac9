// Every file of the tool works with the module.
@_exported import CLIP
@_exported import CLIPIndex
@_exported import CLIPTools
