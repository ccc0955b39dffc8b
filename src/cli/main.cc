// hearth: picks the command, parses its arguments, runs it, reports its error.
#include <fmt/format.h>

#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

Result<int> help(std::span<const std::string> words) {
  if (words.empty() || words[0].starts_with('-')) {
    TRY(write_out(general_help()));
    return 0;
  }
  const Command* command = find_command(words[0]);
  if (command == nullptr)
    return fail(Code::kUsage, "there is no command '{}'; hearth --help lists them", words[0]);
  TRY(write_out(help_text(*command)));
  return 0;
}

std::unexpected<Error> unknown_command(std::string_view word) {
  std::vector<std::string_view> names = {"help"};
  for (const Command* command : commands())
    if (!command->hidden) names.push_back(command->name);
  std::string_view near = nearest_name(word, names);
  std::string_view what = word.starts_with('-') ? "option" : "command";
  if (near.empty())
    return fail(Code::kUsage, "there is no {} '{}'; hearth --help lists what there is", what, word);
  return fail(Code::kUsage, "there is no {} '{}'; did you mean hearth {}?", what, word, near);
}

Result<int> dispatch(std::span<const std::string> words) {
  if (words.empty()) return help({});
  const std::string& first = words[0];
  if (first == "--version" || first == "-v" || first == "version") {
    TRY(print("hearth version {}\n", HEARTH_VERSION));
    return 0;
  }
  if (first == "help" || first == "--help" || first == "-h") return help(words.subspan(1));
  const Command* command = find_command(first);
  if (command == nullptr) return unknown_command(first);
  Args args = TRY(parse_args(*command, words.subspan(1)));
  if (!args.wants_help) return command->run(args);
  TRY(write_out(help_text(*command)));
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  // A reader that goes away is an error of a write, not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  // Only libraries throw, and each call site is meant to catch; what slips through still ends in
  // one line and an exit code.
  try {
    std::vector<std::string> words(argv + 1, argv + argc);
    auto code = hearth::dispatch(words);
    return code ? *code : hearth::report(code.error());
  } catch (const std::bad_alloc&) {
    return hearth::report({hearth::Code::kOutOfMemory,
                           "out of memory; close other programs or use a smaller model"});
  } catch (const std::exception& error) {
    return hearth::report({hearth::Code::kInternal, error.what()});
  }
}
