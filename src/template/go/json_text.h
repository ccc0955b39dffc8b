// Values as Go's encoding/json writes them.
#pragma once

#include "template/go/sink.h"
#include "template/go/value.h"

namespace hearth::gotmpl {

void append_json(Sink& out, const Value& value);

}  // namespace hearth::gotmpl
