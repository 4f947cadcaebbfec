#include "bn.h"
