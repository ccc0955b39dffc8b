#include "terminal/history.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

namespace hearth::terminal {
namespace {

constexpr uint64_t kFileBytesMax = 16u << 20;

std::string line_of(std::string_view entry) {
  std::string line;
  append_json_string(line, entry);
  return line + "\n";
}

}  // namespace

History::History(std::filesystem::path path) : path_(std::move(path)) {
  if (path_.empty()) return;
  const auto text = read_file(path_, kFileBytesMax);
  if (!text) return;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    const auto line = Json::parse(std::string_view(*text).substr(at, end - at));
    if (line && line->is_string()) entries_.push_back(line->as_string());
    at = end + 1;
  }
  if (entries_.size() <= kEntriesMax) return;
  entries_.erase(entries_.begin(), entries_.end() - kEntriesMax);
  rewrite_file();
}

void History::add(std::string_view entry) {
  if (entry.empty() || entry.size() > kEntryBytesMax) return;
  if (!entries_.empty() && entries_.back() == entry) return;
  entries_.emplace_back(entry);
  if (keep_ && !path_.empty()) append_to_file(entry);
}

// One write with O_APPEND under a lock: two chats at the same time do not mix their lines.
void History::append_to_file(std::string_view entry) const {
  std::error_code ignored;
  std::filesystem::create_directories(path_.parent_path(), ignored);
  const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  const std::string line = line_of(entry);
  flock(file, LOCK_EX);
  [[maybe_unused]] const ssize_t written = write(file, line.data(), line.size());
  close(file);
}

void History::rewrite_file() const {
  std::string text;
  for (const std::string& entry : entries_) text += line_of(entry);
  if (!write_file_atomic(path_, text)) return;
  std::error_code ignored;
  using std::filesystem::perms;
  std::filesystem::permissions(path_, perms::owner_read | perms::owner_write, ignored);
}

}  // namespace hearth::terminal
