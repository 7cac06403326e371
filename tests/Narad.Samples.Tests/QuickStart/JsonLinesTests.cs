using System.Text;
using global::QuickStart.Verification.Input;

namespace Narad.Samples.Tests.QuickStart;

public sealed class JsonLinesTests
{
    [Fact]
    public async Task Values_are_the_lines_byte_for_byte_without_their_breaks()
    {
        var lines = await ReadAsync(" {\"userId\" : \"ü\"}\t\n{\"userId\":\"b\"}\r\n{\"userId\":\"c\"}");

        lines.Select(line => Encoding.UTF8.GetString(line.Value)).Should().Equal(" {\"userId\" : \"ü\"}\t", "{\"userId\":\"b\"}", "{\"userId\":\"c\"}");
        lines.Select(line => line.Key).Should().Equal("ü", "b", "c");
        lines.Select(line => line.Number).Should().Equal(1, 2, 3);
    }

    [Theory]
    [InlineData("""{"userId":"a\u0062"}""", "ab")]
    [InlineData("""{"us\u0065rId":"a"}""", "a")]
    [InlineData("""{"userId":""}""", "")]
    [InlineData("""{"userId":12.50}""", "12.50")]
    [InlineData("""{"userId":true}""", "true")]
    [InlineData("""{"userId":{"id": 1}, "x":2}""", """{"id": 1}""")]
    [InlineData("""{"userId":null}""", null)]
    [InlineData("""{"user":{"userId":"deep"}}""", null)]
    [InlineData("""{"user":{"userId":"deep"},"userId":"top"}""", "top")]
    [InlineData("""{"userId":"first","userId":"second"}""", "first")]
    [InlineData("""{}""", null)]
    [InlineData("""[{"userId":"a"}]""", null)]
    [InlineData("42", null)]
    public async Task The_key_is_the_field_at_the_top_level(string line, string? key)
    {
        var read = (await ReadAsync(line)).Should().ContainSingle().Subject;

        read.Problem.Should().BeNull();
        read.Key.Should().Be(key);
    }

    [Theory]
    [InlineData("""{"userId":"a" """, "not JSON")]
    [InlineData("""{"userId":"a"} x""", "not JSON")]
    [InlineData("userId=a", "not JSON")]
    [InlineData("""{"userId":"\ud800"}""", "half a character")]
    [InlineData("", "empty")]
    [InlineData(" \r", "empty")]
    public async Task A_malformed_line_has_its_number_and_problem_and_the_next_continues(string line, string problem)
    {
        var lines = await ReadAsync($"{{\"userId\":\"a\"}}\n{line}\n{{\"userId\":\"c\"}}\n");

        lines.Should().HaveCount(3);
        lines[1].Number.Should().Be(2);
        lines[1].Problem.Should().Contain(problem);
        lines[2].Should().Match<InputLine>(next => next.Number == 3 && next.Key == "c" && next.Problem == null);
    }

    [Fact]
    public async Task Bytes_that_are_not_UTF8_are_malformed()
    {
        byte[] input = [.. "{\"userId\":\""u8, 0xC3, .. "\"}\n{}\n"u8];

        var lines = await ReadAsync(new MemoryStream(input));

        lines.Select(line => line.Problem).Should().Equal("not UTF-8 text", null);
    }

    [Fact]
    public async Task A_byte_order_mark_is_left_out() =>
        (await ReadAsync("\uFEFF{\"userId\":\"a\"}\n")).Should().ContainSingle().Which.Value.Should().Equal("{\"userId\":\"a\"}"u8.ToArray());

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(70_000)]
    public async Task Lines_are_whole_however_the_input_arrives(int chunk)
    {
        var longest = new string('x', JsonLines.MaxLineBytes - 2);
        var expected = Enumerable.Range(1, 200).Select(number => $"{{\"userId\":\"{number}\"}}").ToArray();
        var input = string.Join('\n', expected) + "\n" + (chunk < 1000 ? "" : $"\"{longest}\"\n");

        var lines = await ReadAsync(new ChunkedStream(Encoding.UTF8.GetBytes(input), chunk));

        lines.Take(200).Select(line => Encoding.UTF8.GetString(line.Value)).Should().Equal(expected);
        lines.Should().OnlyContain(line => line.Problem == null);
        lines.Should().HaveCount(chunk < 1000 ? 200 : 201);
    }

    [Fact]
    public async Task A_line_longer_than_a_message_is_malformed_and_takes_no_memory()
    {
        var input = new RepeatingStream((byte)'x', 300_000_000, "\n{\"userId\":\"b\"}\n"u8.ToArray());
        var before = GC.GetAllocatedBytesForCurrentThread();

        var lines = await ReadAsync(input);

        lines.Select(line => line.Problem).Should().Equal("longer than 1,000,000 bytes", null);
        lines[1].Number.Should().Be(2);
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(20_000_000);
    }

    [Fact]
    public async Task Waiting_for_input_that_never_comes_can_be_cancelled()
    {
        using var stop = new CancellationTokenSource();
        using var pipe = new System.IO.Pipes.AnonymousPipeServerStream();
        await using var silent = new System.IO.Pipes.AnonymousPipeClientStream(System.IO.Pipes.PipeDirection.In, pipe.ClientSafePipeHandle);
        await using var lines = new JsonLines(new DeafStream(silent), "userId").ReadAsync(stop.Token).GetAsyncEnumerator(CancellationToken.None);
        var next = lines.MoveNextAsync().AsTask();

        await stop.CancelAsync();

        await next.Invoking(async waiting => await waiting.WaitAsync(TimeSpan.FromSeconds(10))).Should().ThrowAsync<OperationCanceledException>();
    }

    private static Task<List<InputLine>> ReadAsync(string text) => ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)));

    private static async Task<List<InputLine>> ReadAsync(Stream input)
    {
        var lines = new List<InputLine>();
        await foreach (var line in new JsonLines(input, "userId").ReadAsync(CancellationToken.None))
        {
            lines.Add(line);
        }

        return lines;
    }

    private abstract class ReadOnlyStream : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));
    }

    private sealed class ChunkedStream(byte[] data, int chunk) : ReadOnlyStream
    {
        private int _position;

        public override int Read(Span<byte> buffer)
        {
            var length = Math.Min(Math.Min(chunk, buffer.Length), data.Length - _position);
            data.AsSpan(_position, length).CopyTo(buffer);
            _position += length;
            return length;
        }
    }

    private sealed class RepeatingStream(byte value, long times, byte[] tail) : ReadOnlyStream
    {
        private long _left = times;
        private bool _ended;

        public override int Read(Span<byte> buffer)
        {
            if (_left == 0)
            {
                var length = _ended ? 0 : tail.Length;
                tail.AsSpan(0, length).CopyTo(buffer);
                _ended = true;
                return length;
            }

            var count = (int)Math.Min(_left, buffer.Length);
            buffer[..count].Fill(value);
            _left -= count;
            return count;
        }
    }

    // As a console: a read that has begun does not look at its token.
    private sealed class DeafStream(Stream inner) : ReadOnlyStream
    {
        public override int Read(Span<byte> buffer) => inner.Read(buffer);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(buffer, CancellationToken.None);
    }
}
