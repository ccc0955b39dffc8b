// The names that a block hides from the first line on (see scopes.cc).
#pragma once

#include "template/ast.h"

namespace hearth::jinja {

// Fills Program::hidden and the bodies that point into it.
void find_hidden_names(Program& program);

}  // namespace hearth::jinja
