// The words of help, for pages, for the manual and for the completion of shells.
#pragma once

#include <string>

#include "cli/command.h"

namespace hearth {

std::string usage_of(const Positional& row);      // "MODEL", "[PROMPT...]"
std::string value_word(const OptionRow& row);     // what stands for the value; empty for a flag
std::string option_text(const OptionRow& row);    // with default and environment

// The manual page hearth(1), in man's language.
std::string manual_page(std::string_view version);

// A script that a shell reads to complete hearth's commands, options, values and models;
// kInvalid for a shell other than bash, zsh and fish.
Result<std::string> completion_script(std::string_view shell);

}  // namespace hearth
