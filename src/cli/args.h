// Args: the checked command line of one command.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"

namespace hearth {

struct Command;

// Typed options and positionals, as the command's rows declare them.
class Args {
 public:
  // Options by the names of their rows; the environment has been read.
  Options options;

  // The value of a positional, or empty when it is optional and absent; joined by single spaces
  // where it takes many. REQUIRES that the command declares it (CHECK).
  std::string positional(std::string_view name) const;
  // All values of a positional; empty when absent.
  const std::vector<std::string>& positionals(std::string_view name) const;
  bool has(std::string_view name) const { return !positionals(name).empty(); }

  bool wants_help = false;  // --help or -h was there; nothing else has been checked then

 private:
  friend Result<Args> parse_args(const Command& command, std::span<const std::string> words);
  const Command* command_ = nullptr;
  std::vector<std::vector<std::string>> positionals_;
};

// Parses the words after the command's name. --name VALUE, --name=VALUE, -n VALUE, flags, and
// after "--" only positionals. A word that is no option begins with anything but '-', or with '-'
// and no letter ("-5 degrees?", "-", "- item"), so that prompts and negative numbers need no
// quoting of their own. Errors are kUsage and name the nearest option.
Result<Args> parse_args(const Command& command, std::span<const std::string> words);

}  // namespace hearth
