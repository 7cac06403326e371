using Confluent.Kafka;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Consuming;

/// <summary>Why a group does not take a member, and what to set. No state.</summary>
internal static class GroupRefusals
{
    /// <summary>Whether an error means that this member is not, or will not be, in its group.</summary>
    public static bool Concern(ErrorCode code) => code is ErrorCode.GroupAuthorizationFailed
        or ErrorCode.InconsistentGroupProtocol
        or ErrorCode.InvalidSessionTimeout
        or ErrorCode.InvalidGroupId
        or ErrorCode.GroupMaxSizeReached
        or ErrorCode.UnsupportedAssignor
        or ErrorCode.UnsupportedVersion
        or ErrorCode.Local_UnsupportedFeature
        or ErrorCode.UnreleasedInstanceId
        or ErrorCode.FencedInstanceId;

    /// <summary>Cause and remedy; null for an error that is not about the group.</summary>
    public static string? Explain(Error error, string group, KafkaOptions options)
    {
        var remedy = error.Code switch
        {
            ErrorCode.InconsistentGroupProtocol =>
                $"its members use another group.protocol or partition.assignment.strategy than this one ({SettingNames.Of("GroupProtocol")} = "
                    + $"{options.GroupProtocol}, {SettingNames.Of("Assignor")} = {options.Assignor}; "
                + $"with Retry.PreserveKeyOrder always {KafkaAssignor.Range}). Set the same for all members of the group, or choose another group",
            ErrorCode.InvalidSessionTimeout =>
                $"the brokers do not allow {SettingNames.Of("SessionTimeout")} = {options.SessionTimeout:c}. Set it between their "
                    + "group.min.session.timeout.ms and group.max.session.timeout.ms",
            ErrorCode.InvalidGroupId => "the brokers do not accept its name. Choose another one",
            ErrorCode.GroupMaxSizeReached => "it has as many members as the brokers allow (group.max.size, group.consumer.max.size). Stop a member, "
                + "or raise that",
            ErrorCode.UnsupportedAssignor => $"the brokers do not know the assignor ({SettingNames.Of("Assignor")} = {options.Assignor}). Name it in "
                + "their group.consumer.assignors, or choose another one",
            ErrorCode.UnsupportedVersion or ErrorCode.Local_UnsupportedFeature =>
                $"the brokers are too old for {SettingNames.Of("GroupProtocol")} = {options.GroupProtocol}. Set {KafkaGroupProtocol.Classic}, or use Kafka 4",
            ErrorCode.UnreleasedInstanceId or ErrorCode.FencedInstanceId =>
                $"another member has the static identity {SettingNames.Of("GroupInstanceId")} = '{options.GroupInstanceId}'. Give each process its "
                    + "own; one that ended without leaving is forgotten after its session",
            _ => null,
        };
        return remedy is null ? null : $"Group '{group}' cannot be joined: {remedy}. The client says: {error.Reason} ({error.Code}).";
    }
}
