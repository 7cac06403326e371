using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Narad.Kafka.Tests;

/// <summary>
/// Requests about groups, written and read by hand: librdkafka's own (<c>ListConsumerGroups</c>, <c>DescribeConsumerGroups</c>) can corrupt the memory of the
/// process where a broker answers with an error, and none takes another member out of its group.
/// </summary>
internal static class BrokerRequest
{
    private const short FindCoordinator = 10;
    private const short LeaveGroup = 13;
    private const short DescribeGroups = 15;
    private const short ListGroups = 16;
    private const short ConsumerGroupDescribe = 69;
    private const int NotReady = 15;   // coordinator not available; 14 while it loads, 16 where it is another broker
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    /// <summary>The broker that coordinates a group.</summary>
    public static async Task<int> CoordinatorOfAsync(string brokers, string group)
    {
        var answer = await AskUntilReadyAsync(brokers, FindCoordinator, Text(group));
        return answer.Int32();
    }

    /// <summary>The groups that one broker knows.</summary>
    public static async Task<IReadOnlyList<string>> GroupsAsync(string brokers)
    {
        var answer = await AskUntilReadyAsync(brokers, ListGroups, []);
        var groups = new string[answer.Int32()];
        for (var i = 0; i < groups.Length; i++)
        {
            groups[i] = answer.String();
            answer.String();   // its type
        }

        return groups;
    }

    /// <summary>The ids of a group's members. The first of these brokers must be its coordinator.</summary>
    public static async Task<IReadOnlyList<string>> MembersOfAsync(string brokers, string group, KafkaGroupProtocol protocol)
    {
        var isClassic = protocol is KafkaGroupProtocol.Classic;
        var answer = isClassic
            ? await AskAsync(brokers, DescribeGroups, [0, 0, 0, 1, .. Text(group)], isFlexible: false)
            : await AskAsync(brokers, ConsumerGroupDescribe, [2, (byte)(group.Length + 1), .. Encoding.ASCII.GetBytes(group), 0, 0], isFlexible: true);
        if (!isClassic)
        {
            answer.Int32();   // throttling
        }

        var groups = isClassic ? answer.Int32() : answer.CompactCount();
        var error = answer.Int16();
        if (groups != 1 || error != 0)
        {
            throw new InvalidOperationException($"Group {group} could not be described: error {error}, {groups} groups.");
        }

        string[] members;
        if (isClassic)
        {
            for (var text = 0; text < 4; text++)
            {
                answer.String();   // id, state, type, assignor
            }

            members = new string[answer.Int32()];
            for (var i = 0; i < members.Length; i++)
            {
                members[i] = answer.String();
                answer.String();
                answer.String();
                answer.Skip(answer.Int32());
                answer.Skip(answer.Int32());
            }

            return members;
        }

        answer.CompactString();   // the error's text
        answer.CompactString();
        answer.CompactString();
        answer.Skip(2 * sizeof(int));   // epochs
        answer.CompactString();
        members = new string[answer.CompactCount()];
        if (members.Length > 0)
        {
            members[0] = answer.CompactString()!;   // the others stand behind what this does not read
        }

        return members;
    }

    /// <summary>Takes a member out of a group of the classic protocol.</summary>
    public static async Task LeaveAsync(string brokers, string group, string member) =>
        (await AskAsync(brokers, LeaveGroup, [.. Text(group), .. Text(member)], isFlexible: false)).Int16().Should().Be(0, "the member was in the group");

    private static async Task<Answer> AskUntilReadyAsync(string brokers, short kind, byte[] body)
    {
        var started = Environment.TickCount64;
        while (true)
        {
            var answer = await AskAsync(brokers, kind, body, isFlexible: false);
            var error = answer.Int16();
            if (error == 0)
            {
                return answer;
            }

            if (error is < NotReady - 1 or > NotReady + 1 || Environment.TickCount64 - started > Timeout.TotalMilliseconds)
            {
                throw new InvalidOperationException($"The broker refused request {kind}: error {error}.");
            }

            await Task.Delay(100);
        }
    }

    private static async Task<Answer> AskAsync(string brokers, short kind, byte[] body, bool isFlexible)
    {
        var address = brokers.Split(',')[0].Split(':');
        using var limit = new CancellationTokenSource(Timeout);
        using var connection = new TcpClient();
        await connection.ConnectAsync(address[0], int.Parse(address[1], CultureInfo.InvariantCulture), limit.Token);
        var stream = connection.GetStream();
        // version, correlation, no client id
        byte[] request = [(byte)(kind >> 8), (byte)kind, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, .. isFlexible ? [0] : Array.Empty<byte>(), .. body];
        var size = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(size, request.Length);
        await stream.WriteAsync((byte[])[.. size, .. request], limit.Token);
        await stream.ReadExactlyAsync(size, limit.Token);
        var response = new byte[BinaryPrimitives.ReadInt32BigEndian(size)];
        await stream.ReadExactlyAsync(response, limit.Token);
        return new Answer(response[(isFlexible ? 5 : 4)..]);   // behind the correlation and tags
    }

    private static byte[] Text(string text) => [(byte)(text.Length >> 8), (byte)text.Length, .. Encoding.ASCII.GetBytes(text)];

    private sealed class Answer(byte[] bytes)
    {
        private int _at;

        public short Int16() => BinaryPrimitives.ReadInt16BigEndian(Take(sizeof(short)));

        public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Take(sizeof(int)));

        public string String() => Encoding.UTF8.GetString(Take(Math.Max((short)0, Int16())));

        public string? CompactString() => VarInt() is > 0 and var length ? Encoding.UTF8.GetString(Take(length - 1)) : null;

        public int CompactCount() => Math.Max(0, VarInt() - 1);

        public void Skip(int count) => Take(Math.Max(0, count));

        private int VarInt()
        {
            var (value, shift) = (0, 0);
            byte next;
            do
            {
                next = Take(1)[0];
                value |= (next & 0x7F) << shift;
                shift += 7;
            }
            while ((next & 0x80) != 0);
            return value;
        }

        private ReadOnlySpan<byte> Take(int count)
        {
            _at += count;
            return bytes.AsSpan(_at - count, count);
        }
    }
}
