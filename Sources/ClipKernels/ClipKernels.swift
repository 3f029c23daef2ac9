import CClip
