//! Why an invocation failed, in Firehose's words. Names and texts are its own, as far as they are
//! published: people search for them, and programs read them.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    AssumeRoleAccessDenied,
    EniLimitReached,
    FunctionError,
    FunctionRequestTimedOut,
    FunctionTimedOut,
    InternalServerError,
    InvalidSecurityGroupId,
    InvalidSecurityToken,
    InvalidSubnetId,
    InvalidZipFile,
    InvocationFailure,
    InvokeAccessDenied,
    InvokeLimitExceeded,
    ResourceNotFound,
    ServiceUnavailable,
    SubnetIpAddressLimitReached,
    TargetServerFailedToRespond,
}

impl Code {
    /// As `errorCode` of a failed line.
    pub fn code(self) -> &'static str {
        match self {
            Code::AssumeRoleAccessDenied => "Lambda.AssumeRoleAccessDenied",
            Code::EniLimitReached => "Lambda.ENILimitReachedException",
            Code::FunctionError => "Lambda.FunctionError",
            Code::FunctionRequestTimedOut => "Lambda.FunctionRequestTimedOut",
            Code::FunctionTimedOut => "Lambda.FunctionTimedOut",
            Code::InternalServerError => "Lambda.InternalServerError",
            Code::InvalidSecurityGroupId => "Lambda.InvalidSecurityGroupIDException",
            Code::InvalidSecurityToken => "Lambda.InvalidSecurityToken",
            Code::InvalidSubnetId => "Lambda.InvalidSubnetIDException",
            Code::InvalidZipFile => "Lambda.InvalidZipFileException",
            Code::InvocationFailure => "Lambda.InvocationFailure",
            Code::InvokeAccessDenied => "Lambda.InvokeAccessDenied",
            Code::InvokeLimitExceeded => "Lambda.InvokeLimitExceeded",
            Code::ResourceNotFound => "Lambda.ResourceNotFound",
            Code::ServiceUnavailable => "Lambda.ServiceUnavailable",
            Code::SubnetIpAddressLimitReached => "Lambda.SubnetIPAddressLimitReachedException",
            Code::TargetServerFailedToRespond => "Lambda.TargetServerFailedToRespond",
        }
    }

    /// As `errorMessage` of a failed line.
    pub fn message(self) -> &'static str {
        match self {
            Code::AssumeRoleAccessDenied => text::ASSUME_ROLE_ACCESS_DENIED,
            Code::EniLimitReached => text::ENI_LIMIT_REACHED,
            Code::FunctionError => text::FUNCTION_ERROR,
            Code::FunctionRequestTimedOut => text::FUNCTION_REQUEST_TIMED_OUT,
            Code::FunctionTimedOut => text::FUNCTION_TIMED_OUT,
            Code::InternalServerError => text::INTERNAL_SERVER_ERROR,
            Code::InvalidSecurityGroupId => text::INVALID_SECURITY_GROUP_ID,
            Code::InvalidSecurityToken => text::INVALID_SECURITY_TOKEN,
            Code::InvalidSubnetId => text::INVALID_SUBNET_ID,
            Code::InvalidZipFile => text::INVALID_ZIP_FILE,
            Code::InvocationFailure => text::INVOCATION_FAILURE,
            Code::InvokeAccessDenied => text::INVOKE_ACCESS_DENIED,
            Code::InvokeLimitExceeded => text::INVOKE_LIMIT_EXCEEDED,
            Code::ResourceNotFound => text::RESOURCE_NOT_FOUND,
            Code::ServiceUnavailable => text::SERVICE_UNAVAILABLE,
            Code::SubnetIpAddressLimitReached => text::SUBNET_IP_ADDRESS_LIMIT_REACHED,
            Code::TargetServerFailedToRespond => text::TARGET_SERVER_FAILED_TO_RESPOND,
        }
    }

    /// Whether waiting alone will not help.
    pub fn needs_operator(self) -> bool {
        match self {
            Code::AssumeRoleAccessDenied
            | Code::InvalidSecurityGroupId
            | Code::InvalidSecurityToken
            | Code::InvalidSubnetId
            | Code::InvalidZipFile
            | Code::InvokeAccessDenied
            | Code::ResourceNotFound => true,
            Code::EniLimitReached
            | Code::FunctionError
            | Code::FunctionRequestTimedOut
            | Code::FunctionTimedOut
            | Code::InternalServerError
            | Code::InvocationFailure
            | Code::InvokeLimitExceeded
            | Code::ServiceUnavailable
            | Code::SubnetIpAddressLimitReached
            | Code::TargetServerFailedToRespond => false,
        }
    }

    /// Whether it says that the function cannot keep up.
    pub(super) fn is_about_pace(self) -> bool {
        match self {
            Code::EniLimitReached
            | Code::FunctionRequestTimedOut
            | Code::FunctionTimedOut
            | Code::InvokeLimitExceeded
            | Code::ServiceUnavailable
            | Code::SubnetIpAddressLimitReached
            | Code::TargetServerFailedToRespond => true,
            Code::AssumeRoleAccessDenied
            | Code::FunctionError
            | Code::InternalServerError
            | Code::InvalidSecurityGroupId
            | Code::InvalidSecurityToken
            | Code::InvalidSubnetId
            | Code::InvalidZipFile
            | Code::InvocationFailure
            | Code::InvokeAccessDenied
            | Code::ResourceNotFound => false,
        }
    }
}

/// What Firehose says of each code.
mod text {
    pub const ASSUME_ROLE_ACCESS_DENIED: &str = "Access was denied. Ensure that the trust policy for \
        the provided IAM role allows Kinesis Data Firehose to assume the role.";
    pub const ENI_LIMIT_REACHED: &str = "AWS Lambda was not able to create an Elastic Network \
        Interface (ENI) in the VPC, specified as part of the Lambda function configuration, because \
        the limit for network interfaces has been reached. Increase the network interface limit.";
    pub const FUNCTION_ERROR: &str =
        "The Lambda function was successfully invoked but it returned an error result.";
    pub const FUNCTION_REQUEST_TIMED_OUT: &str = "The request did not complete before the request timeout when invoking the Lambda function.";
    pub const FUNCTION_TIMED_OUT: &str = "The Lambda function invocation timed out. Increase the \
        Timeout setting in the Lambda function.";
    pub const INTERNAL_SERVER_ERROR: &str =
        "An InternalServerError was encountered when calling the AWS Lambda service.";
    pub const INVALID_SECURITY_GROUP_ID: &str = "The specified security group ID in the Lambda \
        function VPC configuration is invalid. Ensure that the security group ID is valid.";
    pub const INVALID_SECURITY_TOKEN: &str = "Cannot invoke Lambda function due to invalid security \
        token. Cross partition Lambda invocation is not supported.";
    pub const INVALID_SUBNET_ID: &str = "The specified subnet ID in the Lambda function VPC \
        configuration is invalid. Ensure that the subnet ID is valid.";
    pub const INVALID_ZIP_FILE: &str = "An InvalidZipFileException was encountered when invoking the \
        Lambda function. Check the function's configuration and its zip file.";
    pub const INVOCATION_FAILURE: &str =
        "An error was encountered when calling the AWS Lambda service.";
    pub const INVOKE_ACCESS_DENIED: &str =
        "Access was denied. Ensure that the access policy allows access to the Lambda function.";
    pub const INVOKE_LIMIT_EXCEEDED: &str = "The Lambda concurrent execution limit is exceeded. \
        Increase the concurrent execution limit.";
    pub const RESOURCE_NOT_FOUND: &str = "The specified Lambda function does not exist. Use a \
        different function that does exist.";
    pub const SERVICE_UNAVAILABLE: &str =
        "A ServiceUnavailableException was encountered when calling the AWS Lambda service.";
    pub const SUBNET_IP_ADDRESS_LIMIT_REACHED: &str = "AWS Lambda was not able to set up the VPC \
        access for the Lambda function because one or more configured subnets have no available IP \
        addresses. Increase the IP address limit.";
    pub const TARGET_SERVER_FAILED_TO_RESPOND: &str =
        "The target server failed to respond when calling the AWS Lambda service.";
}
