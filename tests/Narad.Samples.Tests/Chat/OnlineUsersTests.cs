using Chat.Presence;
using Microsoft.Extensions.Time.Testing;

namespace Narad.Samples.Tests.Chat;

/// <summary>Who is online on any instance.</summary>
public sealed class OnlineUsersTests
{
    private static readonly TimeSpan OfflineAfter = TimeSpan.FromSeconds(6);

    private readonly FakeTimeProvider _time = new();
    private readonly List<(string UserId, bool Online)> _changes = [];

    [Fact]
    public void A_user_is_online_as_long_as_one_instance_says_so()
    {
        var online = New();
        online.Set("a", 0, ["ann"]);
        online.Set("b", 4, ["ann", "ben"]);
        online.Apply("a", 1, null, "ann").Should().BeTrue();
        online.IsOnline("ann").Should().BeTrue();
        online.Apply("b", 5, null, "ann").Should().BeTrue();
        online.Apply("b", 5, null, "ben").Should().BeTrue("it was told already");

        online.IsOnline("ann").Should().BeFalse();
        online.IsOnline("ben").Should().BeTrue();
        _changes.Should().Equal(("ann", true), ("ben", true), ("ann", false));
    }

    [Fact]
    public void A_missed_change_is_noticed_and_the_whole_list_repairs_it()
    {
        var online = New();
        online.Apply("a", 1, "ann", null).Should().BeFalse("the instance is not known");
        online.Set("a", 1, ["ann"]);
        online.Apply("a", 3, "cid", null).Should().BeFalse("2 is missing");
        online.Hear("a", 3).Should().BeFalse();
        online.Set("a", 3, ["ben", "cid"]);
        online.Hear("a", 3).Should().BeTrue();
        _changes.Should().BeEquivalentTo([("ann", true), ("ben", true), ("cid", true), ("ann", false)]);
    }

    [Fact]
    public void The_users_of_an_instance_that_says_nothing_go_offline_unless_nothing_is_heard_at_all()
    {
        var online = New();
        online.Set("own", 0, ["ann"]);
        online.Set("other", 0, ["ben"]);
        _time.Advance(TimeSpan.FromMinutes(1));
        online.Expire("own", OfflineAfter);
        online.IsOnline("ben").Should().BeTrue("this instance does not hear itself either");

        online.Hear("own", 0);
        online.Expire("own", OfflineAfter);
        online.IsOnline("ben").Should().BeFalse();
        online.IsOnline("ann").Should().BeTrue();
    }

    private OnlineUsers New()
    {
        var online = new OnlineUsers(_time);
        online.Changed += (user, isOnline) => _changes.Add((user, isOnline));
        return online;
    }
}
