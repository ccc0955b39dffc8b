#include "cli/args.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cli/command.h"

namespace hearth {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool looks_like_option(std::string_view word) {
  return word.size() > 1 && word[0] == '-' && (word[1] == '-' || is_letter(word[1]));
}

// One pass over the words: options go into the bag, the rest into `loose`.
class Parser {
 public:
  Parser(const Command& command, std::span<const std::string> words, Args& args)
      : command_(command), words_(words), args_(args) {}

  Result<std::vector<std::string>> run() {
    std::vector<std::string> loose;
    while (at_ < words_.size() && !args_.wants_help) {
      const std::string& word = words_[at_++];
      if (word == "--") {
        loose.insert(loose.end(), words_.begin() + static_cast<ptrdiff_t>(at_), words_.end());
        break;
      }
      if (!looks_like_option(word)) loose.push_back(word);
      else if (word[1] == '-') TRY(long_option(word));
      else TRY(letters(word));
    }
    return loose;
  }

 private:
  Result<void> long_option(std::string_view word) {
    size_t equals = word.find('=');
    std::string_view name = word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    if (name == "help") return help();
    const OptionRow* row = args_.options.find_row(name);
    if (row == nullptr) return unknown(word.substr(0, equals), name);
    std::string label = fmt::format("--{}", name);
    if (equals != std::string_view::npos) return set(*row, word.substr(equals + 1), label);
    return take(*row, label);
  }

  // -f VALUE, -fVALUE, and several flags in one word: -vj.
  Result<void> letters(std::string_view word) {
    for (size_t i = 1; i < word.size(); ++i) {
      if (word[i] == 'h' && find_letter('h') == nullptr) return help();
      const OptionRow* row = find_letter(word[i]);
      if (row == nullptr) return unknown(word, {});
      std::string label = fmt::format("-{}", word[i]);
      if (row->type == OptionType::kFlag) {
        TRY(set(*row, "true", label));
        continue;
      }
      if (i + 1 < word.size()) return set(*row, word.substr(i + 1), label);
      return take(*row, label);
    }
    return {};
  }

  Result<void> take(const OptionRow& row, const std::string& label) {
    if (row.type == OptionType::kFlag) return set(row, "true", label);
    if (at_ == words_.size())
      return fail(Code::kUsage, "{} needs a value: {}", label, accepted(row));
    return set(row, words_[at_++], label);
  }

  Result<void> set(const OptionRow& row, std::string_view value, const std::string& label) {
    auto done = args_.options.set(row.name, value, label);
    if (!done) done.error().code = Code::kUsage;
    return done;
  }

  Result<void> help() {
    args_.wants_help = true;
    return {};
  }

  const OptionRow* find_letter(char letter) const {
    auto row = std::ranges::find(command_.options, letter, &OptionRow::letter);
    return row == command_.options.end() ? nullptr : &*row;
  }

  Result<void> unknown(std::string_view word, std::string_view name) const {
    std::vector<std::string_view> names = {"help"};
    for (const OptionRow& row : command_.options)
      if (!row.hidden) names.push_back(row.name);
    std::string_view near = name.empty() ? name : nearest_name(name, names);
    if (!near.empty())
      return fail(Code::kUsage, "{} has no option {}; did you mean --{}?", command_.name, word,
                  near);
    return fail(Code::kUsage,
                "{} has no option {}; see hearth {} --help, or put -- before a text that begins "
                "with a dash",
                command_.name, word, command_.name);
  }

  const Command& command_;
  std::span<const std::string> words_;
  Args& args_;
  size_t at_ = 0;
};

bool takes_many(const Positional& row) {
  return row.count == Positional::Count::kMany || row.count == Positional::Count::kAny;
}

bool needs_one(const Positional& row) {
  return row.count == Positional::Count::kRequired || row.count == Positional::Count::kMany;
}

}  // namespace

Result<Args> parse_args(const Command& command, std::span<const std::string> words) {
  Args args;
  args.command_ = &command;
  args.options = Options(command.options);
  args.positionals_.resize(command.positionals.size());
  std::vector<std::string> loose = TRY(Parser(command, words, args).run());
  if (args.wants_help) return args;
  size_t next = 0;
  for (size_t i = 0; i < command.positionals.size(); ++i) {
    const Positional& row = command.positionals[i];
    size_t count = takes_many(row) ? loose.size() - next : std::min<size_t>(1, loose.size() - next);
    if (count == 0 && needs_one(row))
      return fail(Code::kUsage, "{} needs {}; see hearth {} --help", command.name, row.name,
                  command.name);
    for (; count > 0; --count) args.positionals_[i].push_back(std::move(loose[next++]));
  }
  if (next < loose.size())
    return fail(Code::kUsage, "{} does not know what to do with '{}'; see hearth {} --help",
                command.name, loose[next], command.name);
  TRY(args.options.read_environment());
  return args;
}

const std::vector<std::string>& Args::positionals(std::string_view name) const {
  CHECK(command_ != nullptr);
  auto row = std::ranges::find(command_->positionals, name, &Positional::name);
  CHECK(row != command_->positionals.end());
  return positionals_[static_cast<size_t>(row - command_->positionals.begin())];
}

std::string Args::positional(std::string_view name) const {
  return fmt::format("{}", fmt::join(positionals(name), " "));
}

}  // namespace hearth
