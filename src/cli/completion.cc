// Scripts for shells, from the rows of the commands.
#include <fmt/format.h>

#include <algorithm>

#include "cli/help.h"

namespace hearth {
namespace {

constexpr std::string_view kModelWords =
    "; [[ $word == -* ]] || words=$(hearth list --names 2>/dev/null)";

std::string spaced(std::string_view choices) {
  std::string out(choices);
  std::replace(out.begin(), out.end(), '|', ' ');
  return out;
}

std::vector<const Command*> shown_commands() {
  std::vector<const Command*> out;
  for (const Command* command : commands())
    if (!command->hidden) out.push_back(command);
  return out;
}

std::string command_names() {
  std::string out;
  for (const Command* command : shown_commands()) out += fmt::format("{} ", command->name);
  return out + "help";
}

bool takes_models(const Command& command) {
  return std::any_of(command.positionals.begin(), command.positionals.end(),
                     [](const Positional& row) {
                       return row.name.starts_with("MODEL") || row.name == "SOURCE" ||
                              row.name == "NAME";
                     });
}

// For single quotes in sh and fish.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += "'\\''";
    else out += c;
  }
  return out + "'";
}

std::string flags_of(const Command& command) {
  std::string out;
  for (const OptionRow& row : command.options)
    if (!row.hidden) out += fmt::format("--{} ", row.name);
  return out + "--help";
}

std::string bash_script() {
  std::string out =
      "# hearth completion for bash:  source <(hearth completion bash)\n"
      "_hearth() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local command=${COMP_WORDS[1]} words=\n"
      "  local IFS=$' \\t\\n'\n"
      "  # A model's name holds a colon, where bash cuts words.\n"
      "  if declare -F _get_comp_words_by_ref >/dev/null; then\n"
      "    _get_comp_words_by_ref -n : cur prev\n"
      "    word=$cur before=$prev\n"
      "  fi\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n" +
      fmt::format("    words={}\n", quoted(command_names())) +
      "  else\n    case \"$command $before\" in\n";
  for (const Command* command : shown_commands())
    for (const OptionRow& row : command->options) {
      if (row.hidden || row.type == OptionType::kFlag) continue;
      if (row.type == OptionType::kPath)
        out += fmt::format("      '{} --{}') compopt -o filenames; COMPREPLY=($(compgen -f -- "
                           "\"$word\")); return ;;\n", command->name, row.name);
      else
        out += fmt::format("      '{} --{}') COMPREPLY=($(compgen -W {} -- "
                           "\"$word\")); return ;;\n",
                           command->name, row.name, quoted(spaced(row.choices)));
    }
  out += "    esac\n    case \"$command\" in\n";
  for (const Command* command : shown_commands())
    out += fmt::format("      {}) words={}{} ;;\n", command->name, quoted(flags_of(*command)),
                       takes_models(*command) ? kModelWords : "");
  out +=
      "    esac\n  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "  [ \"${#COMPREPLY[@]}\" -gt 0 ] || COMPREPLY=($(compgen -f -- \"$word\"))\n"
      "  if declare -F __ltrim_colon_completions >/dev/null; then\n"
      "    __ltrim_colon_completions \"$word\"\n"
      "  fi\n"
      "}\n"
      "complete -F _hearth hearth\n";
  return out;
}

std::string zsh_value(const OptionRow& row) {
  if (row.type == OptionType::kFlag) return {};
  const std::string word = value_word(row);
  std::string shown;
  for (const char c : word) shown += c == ':' || c == '|' ? ' ' : c;
  if (row.type == OptionType::kPath) return fmt::format(":{}:_files", shown);
  if (row.type == OptionType::kChoice) return fmt::format(":{}:({})", shown, spaced(row.choices));
  return fmt::format(":{}:", shown);
}

std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':') out += '\\';
    if (c == '\'') out += "'\\'";
    out += c;
  }
  return out;
}

std::string zsh_script() {
  std::string out =
      "#compdef hearth\n"
      "# hearth completion for zsh:  hearth completion zsh > \"${fpath[1]}/_hearth\"\n"
      "_hearth_models() { local -a models; models=(${(f)\"$(hearth list --names 2>/dev/null)\"})\n"
      "  compadd -a models; _files; }\n"
      "_hearth() {\n  local -a names=(\n";
  for (const Command* command : shown_commands())
    out += fmt::format("    '{}:{}'\n", command->name, zsh_text(command->summary));
  out +=
      "  )\n"
      "  if (( CURRENT == 2 )); then _describe command names; return; fi\n"
      "  local name=$words[2]\n  shift words; (( CURRENT-- ))\n  case $name in\n";
  for (const Command* command : shown_commands()) {
    out += fmt::format("    {}) _arguments", command->name);
    for (const OptionRow& row : command->options)
      if (!row.hidden)
        out += fmt::format(" \\\n      '{}--{}[{}]{}'", row.many ? "*" : "", row.name,
                           zsh_text(row.text), zsh_value(row));
    out += fmt::format(" \\\n      '*:argument:{}' ;;\n",
                       takes_models(*command) ? "_hearth_models" : "_files");
  }
  return out + "  esac\n}\n_hearth \"$@\"\n";
}

std::string fish_script() {
  std::string out =
      "# hearth completion for fish:  hearth completion fish | source\n"
      "complete -c hearth -f\n";
  for (const Command* command : shown_commands()) {
    out += fmt::format("complete -c hearth -n __fish_use_subcommand -a {} -d {}\n", command->name,
                       quoted(command->summary));
    const std::string here = fmt::format("complete -c hearth -n '__fish_seen_subcommand_from {}'",
                                         command->name);
    if (takes_models(*command))
      out += here + " -F -a '(hearth list --names 2>/dev/null)'\n";
    for (const OptionRow& row : command->options) {
      if (row.hidden) continue;
      out += fmt::format("{} -l {}{} -d {}", here, row.name,
                         row.letter ? fmt::format(" -s {}", row.letter) : "", quoted(row.text));
      if (row.type == OptionType::kPath) out += " -r -F";
      else if (row.type == OptionType::kChoice) out += " -x -a " + quoted(spaced(row.choices));
      else if (row.type != OptionType::kFlag) out += " -x";
      out += '\n';
    }
  }
  return out;
}

}  // namespace

Result<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  return fail(Code::kUsage, "there is completion for bash, zsh and fish, not for '{}'", shell);
}

}  // namespace hearth
