// Names from a file inside messages: one line, whatever the bytes are.
#pragma once

#include <string>
#include <string_view>

namespace hearth {

// 'name' with control characters, quotes and bytes that are no UTF-8 as \xNN, cut after 80 bytes.
std::string quote_name(std::string_view name);

}  // namespace hearth
