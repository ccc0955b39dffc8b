// hearth(1): the help pages in the language of man.
#include <fmt/format.h>

#include "cli/help.h"

namespace hearth {
namespace {

// Backslashes and dashes are commands there, and so is a line that begins with a dot or a quote.
std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else out += c;
    line_start = c == '\n';
  }
  return out;
}

void append_option(std::string& out, const OptionRow& row) {
  const std::string value = value_word(row);
  out += ".TP\n";
  if (row.letter) out += fmt::format("\\fB\\-{}\\fR, ", row.letter);
  out += fmt::format("\\fB\\-\\-{}\\fR", roff(row.name));
  if (!value.empty()) out += fmt::format(" \\fI{}\\fR", roff(value));
  out += "\n" + roff(option_text(row)) + "\n";
}

void append_command(std::string& out, const Command& command) {
  out += fmt::format(".SS \"hearth {}", roff(command.name));
  for (const Positional& row : command.positionals) out += " " + roff(usage_of(row));
  out += "\"\n" + roff(command.summary) + ".\n";
  if (!command.help.empty()) out += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(command.help));
  for (const Positional& row : command.positionals)
    out += fmt::format(".TP\n\\fI{}\\fR\n{}\n", roff(row.name), roff(row.text));
  for (const OptionRow& row : command.options)
    if (!row.hidden) append_option(out, row);
}

}  // namespace

std::string manual_page(std::string_view version) {
  std::string out = fmt::format(
      ".TH HEARTH 1 \"\" \"hearth {}\" \"User commands\"\n"
      ".SH NAME\nhearth \\- run open language models on your own machine\n"
      ".SH SYNOPSIS\n\\fBhearth\\fR \\fICOMMAND\\fR [\\fIarguments\\fR]\n"
      ".SH DESCRIPTION\nOne program that pulls, runs, serves, measures and changes open language "
      "models.\n\\fIMODEL\\fR is a name in the store, a .gguf file or a model folder.\n"
      ".SH COMMANDS\n",
      roff(version));
  for (const Command* command : commands())
    if (!command->hidden) append_command(out, *command);
  out +=
      ".SH ENVIRONMENT\n.TP\nHEARTH_HOME\nwhere everything is written (default ~/.hearth)\n"
      ".TP\nHEARTH_MODELS\nthe model store (default HEARTH_HOME/models)\n"
      ".TP\nNO_COLOR\nno colours and styles on the terminal\n"
      ".PP\nOptions with a name in brackets take their default from that variable.\n"
      ".SH EXIT STATUS\n0 when all went well, 1 for an error, 2 for wrong usage, 130 when Ctrl\\-C "
      "stopped an answer.\n";
  return out;
}

}  // namespace hearth
