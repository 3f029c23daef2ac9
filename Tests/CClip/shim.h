#include <malloc.h>
#include "../../Include/clip.h"
