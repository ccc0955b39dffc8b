// AccessLog: one line of JSON per request, on stderr. Lines are collected and written together;
// a reader of stderr that is stuck costs lines, never a wait. On the server's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "server/http.h"

namespace hearth::server {

struct AccessLine {
  std::chrono::system_clock::time_point time;
  std::string_view id, method, path, remote;  // the path without its query, which may hold keys
  int status = 0;                             // 0: nothing was answered
  uint64_t bytes = 0;                         // of the answer's body
  double milliseconds = 0;
  bool gone = false;                          // the client went away before the end
  std::span<const Header> notes;              // numbers among them are written as numbers
};

// One line, with its line feed.
std::string format_line(const AccessLine& line);

class AccessLog {
 public:
  explicit AccessLog(int fd) : fd_(fd) {}  // borrowed; -1: nothing is written
  ~AccessLog() { flush(); }
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  bool enabled() const { return fd_ >= 0; }
  // True when this is the first that waits: flush() is to be called soon.
  bool add(const AccessLine& line);
  void flush();  // as much as can be written without waiting

 private:
  int fd_;
  std::string waiting_;
  uint64_t lost_ = 0;  // lines for which there was no room
};

}  // namespace hearth::server
