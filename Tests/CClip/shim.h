#include "../../Include/clip.h"
