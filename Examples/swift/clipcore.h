#include <clipcore/clip.h>
