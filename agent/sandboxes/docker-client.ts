import { DAEMON_FOLDER } from './daemon-process.ts';
import type { DaemonFile } from './daemon-process.ts';

const CLIENT_PATH = `${DAEMON_FOLDER}/client`;

// With HTTP 1.0 each answer ends with its connection and is not cut into chunks. The container is
// attached to before it starts, or its first lines would be missed; while its start is awaited its
// output is passed on, because it is stamped by its arrival. Source: Docker Engine API 1.41.
const CLIENT_SCRIPT = `
use strict;
use warnings;
my ($path, $name, $spec) = @ARGV;
$SIG{PIPE} = 'IGNORE';
sub fail {
  print STDERR "docker: $_[0]\\n";
  exit 125;
}
sub ask {
  my ($target, $body) = @_;
  socket(my $connection, 1, 1, 0) or fail("no socket: $!");
  connect($connection, pack('S Z*', 1, $path)) or fail("the daemon does not answer: $!");
  my $length = length $body;
  my $text = "POST $target HTTP/1.0\\r\\nHost: docker\\r\\nContent-Type: application/json\\r\\n"
    . "Content-Length: $length\\r\\n\\r\\n$body";
  for (my $sent = 0; $sent < length $text;) {
    my $more = syswrite($connection, $text, length($text) - $sent, $sent);
    fail("the daemon hung up: $!") unless defined $more;
    $sent += $more;
  }
  return $connection;
}
sub check {
  my ($answer) = @_;
  my ($status) = $answer =~ m{^HTTP/1\\.\\d (\\d+)};
  fail('the daemon ended') unless defined $status;
  return if $status < 300;
  my ($message) = $answer =~ /"message":"((?:[^"\\\\]|\\\\.)*)"/;
  fail("status $status: " . (defined $message ? $message : 'no message'));
}
sub await {
  my ($connection) = @_;
  my $answer = '';
  1 while sysread($connection, $answer, 65536, length $answer);
  check($answer);
}
sub pass_on {
  my ($frames) = @_;
  my ($at, @texts) = (0, '', '');
  while (length($$frames) >= $at + 8) {
    my ($stream, $length) = unpack('C x3 N', substr($$frames, $at, 8));
    last if length($$frames) < $at + 8 + $length;
    $texts[$stream == 2] .= substr($$frames, $at + 8, $length);
    $at += 8 + $length;
  }
  substr($$frames, 0, $at) = '';
  syswrite(STDOUT, $texts[0]) if length $texts[0];
  syswrite(STDERR, $texts[1]) if length $texts[1];
}
await(ask("/containers/create?name=$name", $spec));
my $output = ask("/containers/$name/attach?stream=1&stdout=1&stderr=1", '');
my $frames = '';
while ($frames !~ /\\r\\n\\r\\n/) {
  sysread($output, $frames, 65536, length $frames) or last;
}
check($frames);
$frames =~ s/\\A.*?\\r\\n\\r\\n//s;
my $start = ask("/containers/$name/start", '');
my ($answer, $is_started, $is_open) = ('', 0, 1);
while ($is_open) {
  pass_on(\\$frames);
  my $ready = '';
  vec($ready, fileno $output, 1) = 1;
  vec($ready, fileno $start, 1) = 1 unless $is_started;
  select($ready, undef, undef, undef) >= 0 or next;
  if (!$is_started && vec($ready, fileno $start, 1)) {
    unless (sysread($start, $answer, 65536, length $answer)) {
      check($answer);
      $is_started = 1;
    }
  }
  if (vec($ready, fileno $output, 1)) {
    $is_open = 0 unless sysread($output, $frames, 65536, length $frames);
  }
}
unless ($is_started) {
  1 while sysread($start, $answer, 65536, length $answer);
  check($answer);
}
await(ask("/containers/$name/wait", ''));
`;

/** The program that {@link clientCommand} starts. */
export const clientFile: DaemonFile = { path: CLIENT_PATH, text: CLIENT_SCRIPT };

/**
 * The command that does what `docker run` does, with the same requests in the same order: create,
 * attach, start, and pass the output on until the container has ended. Written for Perl, which
 * begins in 4 ms; Debian's `docker` is a package of its own, and needs tens of milliseconds before
 * its first request, which would be counted as the sandbox's.
 *
 * @param inside see {@link DaemonProcess.inside}.
 * @param spec the body of the request to create the container.
 */
export function clientCommand(
  inside: (path: string) => string,
  container: { readonly socket: string; readonly name: string; readonly spec: unknown },
): string[] {
  const { socket, name, spec } = container;
  return ['perl', inside(CLIENT_PATH), inside(socket), name, JSON.stringify(spec)];
}
