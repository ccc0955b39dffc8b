#include "cli/chat/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/file.h"
#include "base/utf8.h"
#include "cli/terminal.h"
#include "registry/parameters.h"
#include "terminal/wrapper.h"

namespace hearth {
namespace {

constexpr uint64_t kFileBytesMax = 16u << 20;

std::pair<std::string_view, std::string_view> first_word(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  const size_t end = std::min(text.find_first_of(" \t", begin), text.size());
  const size_t rest = std::min(text.find_first_not_of(" \t", end), text.size());
  return {text.substr(begin, end - begin), text.substr(rest)};
}

void say(std::string_view text) { write_err(std::string(text) + "\n"); }

// A name and what it does: side by side where there is room, else one below the other.
void append_row(std::string& out, std::string_view left, std::string_view right) {
  constexpr int kRoom = 64;
  const int columns = terminal::size_of_terminal(STDERR_FILENO).columns;
  const bool narrow = columns < kRoom;
  const int indent = narrow ? 6 : 28;
  out += narrow ? fmt::format("  {}\n{:6}", left, "") : fmt::format("  {:<26}", left);
  const std::vector<std::string> lines = terminal::wrapped_lines(right, columns - indent);
  out += fmt::format("{}\n", fmt::join(lines, fmt::format("\n{:{}}", "", indent)));
}

Result<void> help(Chat&, std::string_view) {
  std::string out;
  for (const ChatCommand& command : chat_commands())
    append_row(out, fmt::format("{} {}", command.name, command.arguments), command.text);
  append_row(out, "\"\"\"", "begins and ends a message of several lines");
  append_row(out, "Alt-Enter", "a new line in the message");
  append_row(out, "Tab, Ctrl-R", "complete; search what was typed before");
  append_row(out, "Ctrl-C, Ctrl-D", "stop an answer and keep the conversation; leave");
  write_err(out);
  return {};
}

Result<void> leave(Chat& chat, std::string_view) {
  chat.leave = true;
  return {};
}

Result<void> clear(Chat& chat, std::string_view) {
  chat.conversation->clear();
  say("The conversation is forgotten.");
  return {};
}

Result<void> retry(Chat& chat, std::string_view) { return chat.conversation->retry(); }

Result<void> go_on(Chat& chat, std::string_view) { return chat.conversation->go_on(); }

Result<void> edit(Chat& chat, std::string_view) {
  chat.initial = chat.conversation->take_back();
  if (chat.initial.empty()) return fail(Code::kNotFound, "there is no question to edit");
  return {};
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      out += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63];
  }
  return out;
}

// By the terminal's own sequence (OSC 52), which works over SSH and needs no program.
Result<void> copy(Chat& chat, std::string_view) {
  const std::string answer = chat.conversation->last_answer();
  if (answer.empty()) return fail(Code::kNotFound, "there is no answer to copy");
  write_err(fmt::format("\x1b]52;c;{}\x07", base64(answer)));
  say(fmt::format("{} bytes are in the clipboard, if the terminal lets programs write there.",
                  answer.size()));
  return {};
}

Result<void> attach_file(Chat& chat, std::string_view path) {
  if (path.empty()) return fail(Code::kUsage, "/file needs the path of a file");
  std::string text = TRY(read_file(std::filesystem::path(path), kFileBytesMax));
  if (!is_valid_utf8(text)) return fail(Code::kInvalid, "{} is no text in UTF-8", path);
  const size_t bytes = text.size();
  chat.conversation->attach(std::filesystem::path(path).filename().string(), std::move(text));
  say(fmt::format("{} ({} bytes) goes with the next message.", path, bytes));
  return {};
}

// "on", "off" or nothing, which is on.
Result<bool> switch_of(std::string_view word) { return word.empty() ? true : parse_bool(word); }

Result<void> set_parameter(Chat& chat, std::string_view arguments) {
  const auto [name, value] = first_word(arguments);
  if (name.empty() || value.empty())
    return fail(Code::kUsage,
                "/set parameter needs a name and a value; /show parameters lists them");
  TRY(chat.conversation->set_parameter(name, value));
  say(fmt::format("{} is {}.", name, value));
  return {};
}

Result<void> set_system(Chat& chat, std::string_view text) {
  chat.conversation->set_system(std::string(text));
  say(text.empty() ? "There is no system text now." : "The system text is set.");
  return {};
}

Result<void> set_think(Chat& chat, std::string_view word) {
  chat.conversation->think = TRY(switch_of(word));
  say(*chat.conversation->think ? "The model is asked to reason." : "No reasoning is asked for.");
  return {};
}

Result<void> set_verbose(Chat& chat, std::string_view word) {
  chat.conversation->verbose = TRY(switch_of(word));
  say(chat.conversation->verbose ? "Counts and speeds are shown." : "Counts are not shown.");
  return {};
}

Result<void> set_history(Chat& chat, std::string_view word) {
  const bool on = TRY(switch_of(word));
  if (chat.history) chat.history->keep(on);
  say(on ? "What is typed is remembered." : "What is typed is not written down.");
  return {};
}

Result<void> set_nothink(Chat& chat, std::string_view) { return set_think(chat, "off"); }
Result<void> set_quiet(Chat& chat, std::string_view) { return set_verbose(chat, "off"); }
Result<void> set_nohistory(Chat& chat, std::string_view) { return set_history(chat, "off"); }

std::string messages_text(const Conversation& chat) {
  std::string out;
  for (const ChatMessage& message : chat.messages())
    out += fmt::format("[{}]\n{}\n\n", message.role, message.content);
  return out.empty() ? "Nothing was said yet.\n" : out;
}

Result<void> show_info(Chat& chat, std::string_view) {
  const Conversation& talk = *chat.conversation;
  write_err(fmt::format("  model       {}\n  path        {}\n  context     {} tokens\n"
                        "  messages    {}\n  attached    {}\n  weights     {:.1f} MB\n",
                        talk.model().name, talk.model().place, talk.context(),
                        talk.messages().size(), talk.attached(),
                        static_cast<double>(talk.model().weight_bytes) / 1e6));
  return {};
}

Result<void> show_parameters(Chat& chat, std::string_view) {
  const Conversation& talk = *chat.conversation;
  const Json own = talk.model().params, set = parameters_to_json(talk.parameters());
  std::string out;
  for (const OptionRow& row : parameter_rows()) {
    if (row.hidden) continue;
    const Json& value = set.find(row.name) ? set[row.name] : own[row.name];
    out += fmt::format("  {:<22} {:<14} {}\n", row.name, value.is_null() ? "-" : value.dump(),
                       row.text);
  }
  write_err(out);
  return {};
}

Result<void> show_system(Chat& chat, std::string_view) {
  const std::string system = chat.conversation->system_text();
  say(system.empty() ? "There is no system text." : printable(system));
  return {};
}

Result<void> show_template(Chat& chat, std::string_view) {
  const std::string& used = chat.conversation->model().template_text;
  say(used.empty() ? "The model has no chat template; it goes on with what is typed."
                   : printable(used));
  return {};
}

Result<void> show_messages(Chat& chat, std::string_view) {
  write_err(printable(messages_text(*chat.conversation)));
  return {};
}

// A model of the store that begins where this conversation stands.
Result<void> save(Chat& chat, std::string_view name) {
  if (name.empty()) return fail(Code::kUsage, "/save needs a name for the model");
  const Conversation& talk = *chat.conversation;
  CreateRequest request{.name = TRY(ModelName::parse(name))};
  request.base = ".";
  request.modelfile.parameters = talk.parameters();
  request.modelfile.from.push_back({talk.model().source, 0});
  request.modelfile.system = talk.system_text();
  for (const ChatMessage& message : talk.messages())
    if (message.role != "system")
      request.modelfile.messages.push_back({message.role, message.content});
  const CreateResult created = TRY(talk.library().create(request, {}));
  say(fmt::format("Saved as {}; hearth run {} goes on from here.", created.name.display(),
                  created.name.display()));
  return {};
}

Result<void> load(Chat& chat, std::string_view name) {
  if (name.empty()) return fail(Code::kUsage, "/load needs the name of a model");
  auto opened = TRY(Conversation::open(std::string(name), *chat.options));
  opened->verbose = chat.conversation->verbose;
  opened->think = chat.conversation->think;
  chat.conversation = std::move(opened);
  say(fmt::format("This is {}.", chat.conversation->model().name));
  return {};
}

constexpr ChatCommand kSet[] = {
    {"parameter", "NAME VALUE", "a parameter of the model, such as temperature", set_parameter},
    {"system", "TEXT", "instructions for the model; without a text, none", set_system},
    {"think", "on|off", "ask the model to reason", set_think},
    {"verbose", "on|off", "counts and speeds after each answer", set_verbose},
    {"history", "on|off", "remember what is typed", set_history},
    {"nothink", "", "", set_nothink},
    {"quiet", "", "", set_quiet},
    {"nohistory", "", "", set_nohistory},
};
constexpr ChatCommand kShow[] = {
    {"info", "", "the model", show_info},
    {"parameters", "", "what is set, and what can be", show_parameters},
    {"system", "", "the system text", show_system},
    {"template", "", "the chat template", show_template},
    {"messages", "", "what was said", show_messages},
};

std::string names_of(std::span<const ChatCommand> rows) {
  std::string out;
  for (const ChatCommand& row : rows)
    if (!row.text.empty()) out += fmt::format("{}{}", out.empty() ? "" : ", ", row.name);
  return out;
}

Result<void> run_row(std::span<const ChatCommand> rows, std::string_view command, Chat& chat,
                     std::string_view arguments) {
  const auto [name, rest] = first_word(arguments);
  for (const ChatCommand& row : rows)
    if (row.name == name) return row.run(chat, rest);
  return fail(Code::kUsage, "{} takes one of {}", command, names_of(rows));
}

Result<void> set(Chat& chat, std::string_view arguments) {
  return run_row(kSet, "/set", chat, arguments);
}
Result<void> show(Chat& chat, std::string_view arguments) {
  return run_row(kShow, "/show", chat, arguments.empty() ? "info" : arguments);
}

constexpr ChatCommand kCommands[] = {
    {"/set", "WHAT VALUE", "parameter, system, think, verbose, history", set},
    {"/show", "WHAT", "info, parameters, system, template, messages", show},
    {"/clear", "", "forget the conversation", clear},
    {"/continue", "", "go on with the last answer where it stopped", go_on},
    {"/retry", "", "ask the last question again", retry},
    {"/edit", "", "change the last question and ask it again", edit},
    {"/copy", "", "put the last answer into the clipboard", copy},
    {"/file", "PATH", "send a file along with the next message", attach_file},
    {"/save", "NAME", "keep model and conversation under a name", save},
    {"/load", "NAME", "go on with another model", load},
    {"/help", "", "this list", help},
    {"/bye", "", "leave (also Ctrl-D)", leave},
    {"/exit", "", "", leave},
    {"/quit", "", "", leave},
    {"/?", "", "", help},
};

std::vector<std::string> model_names(const Chat& chat) {
  std::vector<std::string> names, warnings;
  const auto models = chat.conversation->library().list(warnings);
  if (!models) return names;
  for (const ListedModel& model : *models) names.push_back(model.name);
  return names;
}

std::vector<std::string> paths_like(std::string_view typed) {
  namespace fs = std::filesystem;
  const size_t slash = typed.rfind('/');
  const std::string folder(slash == std::string_view::npos ? "" : typed.substr(0, slash + 1));
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator entry(folder.empty() ? "." : folder, error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.') && !typed.substr(folder.size()).starts_with('.')) continue;
    std::error_code ignored;
    out.push_back(folder + name + (entry->is_directory(ignored) ? "/" : ""));
  }
  return out;
}

std::vector<std::string> row_names(std::span<const ChatCommand> rows) {
  std::vector<std::string> out;
  for (const ChatCommand& row : rows)
    if (!row.text.empty()) out.emplace_back(row.name);
  return out;
}

// What may stand as the next word after these.
std::vector<std::string> words_after(const Chat& chat, std::string_view before,
                                     std::string_view typed) {
  const auto [command, rest] = first_word(before);
  if (command.empty()) return row_names(kCommands);
  if (command == "/set") {
    const auto [what, value] = first_word(rest);
    if (what.empty()) return row_names(kSet);
    if (what == "parameter" && value.empty()) {
      std::vector<std::string> out;
      for (const OptionRow& row : parameter_rows())
        if (!row.hidden) out.emplace_back(row.name);
      return out;
    }
    return what == "system" || what == "parameter" ? std::vector<std::string>{}
                                                   : std::vector<std::string>{"on", "off"};
  }
  if (!rest.empty()) return {};
  if (command == "/show") return row_names(kShow);
  if (command == "/load" || command == "/save") return model_names(chat);
  if (command == "/file") return paths_like(typed);
  return {};
}

}  // namespace

std::span<const ChatCommand> chat_commands() {
  return std::span(kCommands).first(std::size(kCommands) - 3);  // without the other spellings
}

Result<void> run_chat_command(Chat& chat, std::string_view line) {
  const auto [name, rest] = first_word(line);
  std::vector<std::string_view> names;
  for (const ChatCommand& row : kCommands) {
    if (row.name == name) {
      const size_t end = rest.find_last_not_of(" \t\n");
      return row.run(chat, rest.substr(0, end == std::string_view::npos ? 0 : end + 1));
    }
    names.push_back(row.name);
  }
  const std::string_view near = nearest_name(name, names);
  return fail(Code::kUsage, "there is no command {}{}; /help lists them", name,
              near.empty() ? "" : fmt::format(" (did you mean {}?)", near));
}

terminal::Completions complete_chat(const Chat& chat, std::string_view text, size_t cursor) {
  terminal::Completions out;
  if (!text.starts_with('/')) return out;
  const std::string_view before = text.substr(0, cursor);
  const size_t space = before.find_last_of(" \t");
  out.begin = space == std::string_view::npos ? 0 : space + 1;
  const std::string_view typed = before.substr(out.begin);
  for (std::string& word : words_after(chat, before.substr(0, out.begin), typed))
    if (word.starts_with(typed)) out.words.push_back(std::move(word));
  std::sort(out.words.begin(), out.words.end());
  return out;
}

}  // namespace hearth
